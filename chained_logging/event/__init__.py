"""From what code logs to the body of an entry: values, fields, draft, entry."""
