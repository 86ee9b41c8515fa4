package main

import (
	"context"
	"errors"
	"os"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/postroom/postroom"
)

// shortestPassphrase is how many characters a passphrase has at least: whoever finds a
// backup may try as many as they like.
const shortestPassphrase = 12

// newPassphrase asks twice for what seals the keys in a backup, or reads it from
// standard input.
func (t terminal) newPassphrase(ctx context.Context, piped bool) (postroom.Secret, error) {
	first, err := t.passphrase(ctx, "Passphrase for the keys in this backup: ", piped)
	if err != nil {
		return postroom.Secret{}, err
	}
	if utf8.RuneCountInString(first.Reveal()) < shortestPassphrase {
		return postroom.Secret{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This passphrase is too short: whoever finds the backup can try as many as they like.",
			Remedy:      "Choose one of 12 characters or more; four words that have nothing to do with each other are good.",
		}
	}
	if piped {
		return first, nil
	}
	second, err := t.typedSecret(ctx, "Once more: ")
	if err != nil {
		return postroom.Secret{}, err
	}
	if first.Reveal() != second.Reveal() {
		return postroom.Secret{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "The two passphrases are not the same.",
			Remedy:      "Begin again, and type the same one twice.",
		}
	}
	return first, nil
}

// passphrase asks once, or reads the first line of standard input.
func (t terminal) passphrase(ctx context.Context, question string, piped bool) (postroom.Secret, error) {
	if piped {
		secret, err := t.pipedSecret()
		var use wrongUse
		if errors.As(err, &use) {
			err = wrongUse{"There is no passphrase on standard input."}
		}
		return secret, err
	}
	if f, ok := t.In.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return postroom.Secret{}, wrongUse{"There is no terminal to ask for the passphrase on. Add --passphrase-stdin and pipe it in."}
	}
	return t.typedSecret(ctx, question)
}
