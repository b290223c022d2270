"""The compressed-domain network: three streams, pseudo-decoder, gate, fusion."""
