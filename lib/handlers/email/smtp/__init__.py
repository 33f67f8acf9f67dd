"""SMTP as a client: a session dialled and logged in to, letters passed through it, and what each answer means for a
mail."""
