package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom"
)

const (
	heartbeatEvery   = time.Minute
	heartbeatTimeout = 10 * time.Second
)

// A Heartbeat asks for an address once a minute for as long as all is well, so that a
// watcher elsewhere notices a dead process by its silence.
type Heartbeat struct {
	URL postroom.Secret // whoever knows it can pretend to be us
	// Alive says what is wrong with this process; nil: it does its work.
	Alive func(ctx context.Context) error
	Every time.Duration // 0: a minute
	Log   *slog.Logger

	failed bool // the last one did
}

// Run beats until ctx ends.
func (h *Heartbeat) Run(ctx context.Context) error {
	every := h.Every
	if every == 0 {
		every = heartbeatEvery
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		h.turn(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// turn tells the log when beating begins to go wrong, and when it goes well again.
func (h *Heartbeat) turn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	if err := h.Alive(ctx); err != nil {
		h.note(ctx, fmt.Errorf("this process is not well: %w", err))
		return
	}
	h.note(ctx, h.beat(ctx))
}

func (h *Heartbeat) note(ctx context.Context, err error) {
	switch {
	case err != nil && !h.failed:
		h.Log.WarnContext(ctx, "no heartbeat", "err", err)
	case err == nil && h.failed:
		h.Log.InfoContext(ctx, "the heartbeat is back")
	}
	h.failed = err != nil
}

// beat asks for the address. Errors of package http name it, so they are not passed on.
func (h *Heartbeat) beat(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL.Reveal(), http.NoBody)
	if err != nil {
		return errHeartbeatAddress
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return withoutAddress(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the watcher answers %d", answer.StatusCode)
	}
	return nil
}

var errHeartbeatAddress = errors.New("the address cannot be asked for")

// withoutAddress is what went wrong with a request, without the address that is
// secret.
func withoutAddress(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return errHeartbeatAddress
}
