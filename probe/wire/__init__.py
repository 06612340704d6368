"""The only room with windows: sockets, TLS, DNS, clocks. Everything the network does comes out as a fact."""
