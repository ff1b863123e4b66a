# The models come here; the protocol room viva/ is importable without them.
