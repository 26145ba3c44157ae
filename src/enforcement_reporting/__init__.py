"""Safety-enforcement statistics: submissions in, contradictions found, trusted numbers out."""
