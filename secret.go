package postroom

import "log/slog"

// A Secret is a password or a token. It sits in a closure, where no printing,
// logging or marshalling can reach it; a search for Reveal finds every use.
// The zero Secret is empty.
type Secret struct{ reveal func() string }

// Hide makes a Secret of text.
func Hide(text string) Secret { return Secret{func() string { return text }} }

// Reveal returns the text. Call it where the text leaves the process, or is
// sealed, and nowhere else.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsEmpty says whether there is nothing to reveal.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

func (s Secret) String() string               { return "[hidden]" }
func (s Secret) GoString() string             { return "[hidden]" }
func (s Secret) LogValue() slog.Value         { return slog.StringValue("[hidden]") }
func (s Secret) MarshalText() ([]byte, error) { return []byte("[hidden]"), nil }
