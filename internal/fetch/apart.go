package fetch

// apart does work that goes deep, into the database above all, on a goroutine of
// its own and waits for it. A reader waits for most of its life, and its stack would
// stay as large as the deepest thing it ever did: with ten thousand mailboxes that
// is most of what they take.
func apart(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	return <-done
}
