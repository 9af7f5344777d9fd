//! SCRAM (RFC 5802, RFC 7677): proves that both sides know a password, without showing it.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::num::NonZeroU32;

/// What a broker may ask for at most, so that none keeps this side busy for long. Kafka's default is 4096.
const MOST_ITERATIONS: u32 = 1 << 20;

/// The hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Hash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// A client that has said its first word.
pub(crate) struct Begun {
    hash: Hash,
    nonce: String,
    bare: String,
}

/// A client that has proven itself, and waits for the broker to do so.
pub(crate) struct Proven {
    signature: hmac::Tag,
}

/// The first word, for a user and a random text.
pub(crate) fn begin(hash: Hash, user: &str, nonce: &str) -> (Begun, String) {
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let bare = format!("n={user},r={nonce}");
    let word = format!("n,,{bare}");
    let nonce = nonce.to_owned();
    (Begun { hash, nonce, bare }, word)
}

impl Begun {
    /// The second word, for what the broker said; `Err` says what is wrong with that. The password is taken as it is: one of other
    /// letters than ASCII's must be given in the form that SASLprep (RFC 4013) brings it into.
    pub(crate) fn prove(
        self,
        password: &str,
        said: &[u8],
    ) -> Result<(Proven, String), &'static str> {
        let said = std::str::from_utf8(said).map_err(|_| "its challenge is not a text")?;
        let nonce = part(said, "r=").ok_or("its challenge has no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its challenge does not fit what was sent");
        }
        let salt = part(said, "s=").and_then(|salt| BASE64.decode(salt).ok());
        let salt = salt.ok_or("its challenge has no salt")?;
        let iterations = part(said, "i=").and_then(|count| count.parse::<NonZeroU32>().ok());
        let iterations = iterations
            .filter(|count| count.get() <= MOST_ITERATIONS)
            .ok_or("its challenge has no sensible number of iterations")?;

        let mut salted = vec![0; self.hash.digest().output_len()];
        let password = password.as_bytes();
        pbkdf2::derive(self.hash.pbkdf2(), iterations, &salt, password, &mut salted);
        let keyed =
            |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text);
        let client_key = keyed(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let without_proof = format!("c=biws,r={nonce}");
        let all = format!("{},{said},{without_proof}", self.bare);
        let client_signature = keyed(stored_key.as_ref(), all.as_bytes());
        let pairs = client_key.as_ref().iter().zip(client_signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
        let server_key = keyed(&salted, b"Server Key");
        let signature = keyed(server_key.as_ref(), all.as_bytes());
        let word = format!("{without_proof},p={}", BASE64.encode(proof));
        Ok((Proven { signature }, word))
    }
}

impl Proven {
    /// Whether the broker's last word proves that it knows the password too.
    pub(crate) fn is_answered_by(&self, said: &[u8]) -> bool {
        let said = std::str::from_utf8(said).unwrap_or_default();
        let shown = part(said, "v=").and_then(|shown| BASE64.decode(shown).ok());
        shown.is_some_and(|shown| shown == self.signature.as_ref())
    }
}

fn part<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(',').find_map(|part| part.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677.
    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let (begun, first) = begin(Hash::Sha256, "user", NONCE);
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (proven, second) = begun.prove("pencil", CHALLENGE.as_bytes()).unwrap();
        assert_eq!(
            second,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proven.is_answered_by(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proven.is_answered_by(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
        assert!(!proven.is_answered_by(b"e=invalid-proof"));
    }

    #[test]
    fn a_challenge_that_does_not_fit_is_refused() {
        let no_own_nonce = CHALLENGE.replace("r=rOpr", "r=xOpr");
        let only_our_nonce = CHALLENGE.replace("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "");
        let endless = CHALLENGE.replace("4096", "4000000000");
        let none = CHALLENGE.replace("4096", "0");
        for challenge in [
            &*no_own_nonce,
            &only_our_nonce,
            &endless,
            &none,
            "",
            "e=other",
        ] {
            let (begun, _) = begin(Hash::Sha512, "user", NONCE);
            assert!(
                begun.prove("pencil", challenge.as_bytes()).is_err(),
                "{challenge}"
            );
        }
    }

    #[test]
    fn a_users_name_may_hold_what_parts_are_told_apart_by() {
        assert_eq!(begin(Hash::Sha256, "a,b=c", "x").1, "n,,n=a=2Cb=3Dc,r=x");
    }
}
