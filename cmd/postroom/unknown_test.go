package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

// TestAnswersThatNobodyKnowsAreCounted holds the way of an answer that the catalogue
// does not know, from the server that gave it to the figures and the database.
func TestAnswersThatNobodyKnowsAreCounted(t *testing.T) {
	t.Parallel()
	i, s := install(t), pretendServer(t, 2)
	s.SetFaults("", simulator.Faults{RefuseLogin: "NO the stars are not right for box0@example.net (id 8831abc77)"})
	for n := range 2 {
		i.connect(box(n), "right-password", plain(s, box(n)))
	}
	twice := regexp.MustCompile(`postroom_unknown_replies_total\{phase="auth",protocol="imap"\} [2-9]`)
	err := eventually(patience, func() error {
		answer, err := http.Get(i.server.url + "/metrics")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		if !twice.Match(text) {
			return errors.New("two unknown answers are not among the figures")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.server.stop(syscall.SIGTERM); err != nil { // which stores what it has noted
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Options{Path: filepath.Join(i.data, "postroom.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	known, err := db.Reader().UnknownReplies(context.Background(), 10)
	if err != nil || len(known) != 1 || known[0].Count < 2 || known[0].Host != "127.0.0.1" || known[0].Reply != "NO the stars are not right for … (id …)" {
		t.Errorf("counted are %+v, %v", known, err)
	}
	i.start() // what ends with the test
}
