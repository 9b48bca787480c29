"""How often: what each caller, and each tenant, may still ask for in a minute."""
