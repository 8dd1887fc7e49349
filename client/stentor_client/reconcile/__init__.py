"""Hold both sides' counts against each other, to the byte, while traffic goes on."""
