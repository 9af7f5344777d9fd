"""The Python side of the tests: real Milvus servers, seeding, planted faults and an independent oracle.

It shares no code with what it judges. Start with `python -m testbed --help`.
"""
