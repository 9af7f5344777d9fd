"""English that reads like something: sentences, titles and product names out of word lists."""

PEOPLE = "the librarian|a night nurse|our neighbour|the apprentice|a retired pilot|the archivist|my sister|the harbour master".split(
    "|"
)
PLACES = "in Lisbon|near the old mill|at the northern depot|beside the canal|on the third floor|outside Trondheim|by the orchard".split(
    "|"
)
VERBS = "repaired|catalogued|photographed|misplaced|inherited|described|sold|carried home|measured|painted".split("|")
THINGS = (
    "a brass telescope|three crates of pears|the tide tables|an unsigned letter|a set of maps|the winter timetable|"
    "a cracked bell|two hundred seedlings|the missing ledger|a jar of blue ink|an electric kiln|the ferry schedule"
).split("|")
REASONS = (
    "because the rain would not stop|before anyone else arrived|and nobody asked why|so the shop could open on time|"
    "although the manual advised against it|while the radio played|and wrote it down carefully|as the contract required"
).split("|")
ADJECTIVES = "quiet|sturdy|folding|waterproof|vintage|compact|heavy-duty|handmade|recycled|cordless".split("|")
NOUNS = (
    "lantern|backpack|kettle|desk lamp|bicycle pump|notebook|rain jacket|coffee grinder|tool chest|garden chair".split(
        "|"
    )
)
TOPICS = "travel|gardening|engineering|history|cooking|astronomy|sailing|music".split("|")


def sentence(random):
    """One sentence."""
    pick = random.choice
    return f"{pick(PEOPLE).capitalize()} {pick(PLACES)} {pick(VERBS)} {pick(THINGS)} {pick(REASONS)}."


def paragraph(random, sentences):
    """Several sentences."""
    return " ".join(sentence(random) for _ in range(sentences))


def title(random):
    """A heading."""
    thing = random.choice(THINGS)
    return f"{thing[:1].upper()}{thing[1:]}, {random.choice(PLACES)}"


def product(random):
    """A product's name."""
    return f"{random.choice(ADJECTIVES)} {random.choice(NOUNS)}"
