"""What to say and when: one generator a file. It yields what to say and is sent what was heard."""
