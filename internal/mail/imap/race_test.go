//go:build race

package imap

// underRace says that the race detector runs, which needs memory of its own.
const underRace = true
