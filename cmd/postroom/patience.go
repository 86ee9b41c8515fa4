package main

import (
	"net/http"
	"time"
)

const (
	// slowestRequest is how long a request may take to come in whole.
	slowestRequest = time.Minute
	// slowestWrite is how long one write of an answer may take: whoever takes nothing
	// for so long has gone, or means harm.
	slowestWrite = time.Minute
)

// patient lets no answer wait for longer than limit for whoever asked to take some
// of it. A long answer may take as long as it moves.
func patient(h http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := &unhurried{w, http.NewResponseController(w), limit}
		h.ServeHTTP(u, r)
		u.wait() // for the end of the answer, which the server writes
	})
}

// unhurried gives every write a deadline of its own.
type unhurried struct {
	http.ResponseWriter
	connection *http.ResponseController
	limit      time.Duration
}

func (u *unhurried) Write(b []byte) (int, error) {
	u.wait()
	return u.ResponseWriter.Write(b)
}

// FlushError is how [http.ResponseController] sends on what is buffered.
func (u *unhurried) FlushError() error {
	u.wait()
	return u.connection.Flush()
}

func (u *unhurried) wait() {
	// Not every writer has deadlines; one that has none needs no moving of them.
	_ = u.connection.SetWriteDeadline(time.Now().Add(u.limit))
}

// Unwrap is how [http.ResponseController] reaches the connection.
func (u *unhurried) Unwrap() http.ResponseWriter { return u.ResponseWriter }
