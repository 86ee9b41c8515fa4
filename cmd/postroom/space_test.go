package main

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const mega = 1 << 20

func TestFloorStopsReadingAndLetsItGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := store.Space{FreeBytes: 600 * mega, Known: true}
		f := &floor{Space: func() store.Space { return space }, MinBytes: 512 * mega, Log: slog.New(slog.DiscardHandler)}
		steps := []struct {
			free int64 // MB
			held bool
			says string
		}{
			{600, false, ""},
			{513, false, ""},
			{511, true, "Only 511 MB"},
			{530, true, "Only 511 MB"}, // neither flaps, nor says something else to every mailbox each second
			{575, true, ""},
			{576, false, ""},
			{530, false, ""},
			{100, true, "Only 100 MB"},
			{1 << 20, false, ""},
		}
		for i, s := range steps {
			time.Sleep(2 * time.Second)
			space.FreeBytes = s.free * mega
			fault := f.hold()
			if (fault != nil) != s.held {
				t.Fatalf("step %d, %d MB free: %v, want held %t", i, s.free, fault, s.held)
			}
			if fault != nil && !strings.Contains(fault.Explanation, s.says) {
				t.Errorf("step %d says %q, want %q", i, fault.Explanation, s.says)
			}
			if fault != nil && (fault.Kind != postroom.Delayed || !strings.Contains(fault.Remedy, "576 MB")) {
				t.Errorf("step %d: %+v, want a delay that says how much is needed", i, fault)
			}
		}
	})
}

func TestFullDatabaseHoldsReadingForAWhile(t *testing.T) {
	for name, test := range map[string]struct {
		space store.Space
		says  string
	}{
		"a quota that nobody sees":     {store.Space{FreeBytes: 1 << 40, Known: true}, "The disk that holds Postroom's data is full"},
		"the disk of another computer": {store.Space{}, "The disk of the database server is full"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				space := test.space
				f := &floor{Space: func() store.Space { return space }, MinBytes: 512 * mega, Log: slog.New(slog.DiscardHandler)}
				if fault := f.hold(); fault != nil {
					t.Fatalf("held with room: %v", fault)
				}
				time.Sleep(2 * time.Second)
				space.FullAt = time.Now()
				if fault := f.hold(); fault == nil || !strings.Contains(fault.Explanation, test.says) {
					t.Fatalf("it says %v, want %q", fault, test.says)
				}
				time.Sleep(fullFor)
				if fault := f.hold(); fault != nil {
					t.Errorf("held %v after it was full: %v", fullFor, fault)
				}
			})
		})
	}
}

func TestWithoutAFloorTheDiskMayBecomeFull(t *testing.T) {
	f := &floor{Space: func() store.Space { return store.Space{FreeBytes: 1, Known: true} }, Log: slog.New(slog.DiscardHandler)}
	if fault := f.hold(); fault != nil {
		t.Errorf("held: %v", fault)
	}
}
