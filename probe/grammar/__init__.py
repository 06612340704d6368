"""How to read: bytes and text in, facts out, no opinion. One file a grammar, nothing opens a socket."""
