"""Pure accounting in Decimal: positions, cash, profit and loss, who earned it, and how well."""
