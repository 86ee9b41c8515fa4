package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestACommandThatIsInterruptedSaysSo(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt(errors.New("interrupt signal received"))
		<-r.Context().Done()
	}))
	defer server.Close()
	t.Setenv("POSTROOM_TOKEN", "a-token-of-twenty-letters")
	var out, said strings.Builder
	code := run(ctx, []string{"mailbox", "list", "--server", server.URL}, terminal{In: strings.NewReader(""), Out: &out, Err: &said})
	if code != exitFailed || !strings.Contains(said.String(), "interrupted before it was done") || strings.Contains(said.String(), "signal") {
		t.Errorf("exit %d, said %q", code, said.String())
	}
}
