"""What is said of an identity: sentences with typed parts, rendered when they are shown.

A part says of itself whether it can name somebody. So pseudonyms replace parts, never words of a
sentence, and a new sentence cannot leak a name.
"""
