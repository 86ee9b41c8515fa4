package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A floor stops the reading of mail before the disk is full, and lets it go on when
// there is room again.
type floor struct {
	// Space says how much room the database has.
	Space func() store.Space
	// MinBytes is how much must be free; 0: the disk may become full.
	MinBytes int64
	Log      *slog.Logger

	mu     sync.Mutex
	looked time.Time
	space  store.Space
	held   *postroom.Fault // nil: mail is read
	heldAt time.Time       // when held got its words
}

const (
	// lookAtSpace is how old an answer about the disk may be.
	lookAtSpace = time.Second
	// fullFor is how long reading rests after the database said that it is full, where
	// nobody can see how much room it has. Then the next mail tries.
	fullFor = 10 * time.Second
	// sameWords is how long the words of a fault stay, though the figures in them move:
	// every mailbox keeps them.
	sameWords = time.Minute
)

// enough is what must be free before reading goes on: an eighth more than what it
// stops at, so that it does not stop again with the next mail.
func (f *floor) enough() int64 { return f.MinBytes + f.MinBytes/8 }

// hold says why no mail is read for lack of room; nil: there is enough. It may be
// asked any number of times.
func (f *floor) hold() *postroom.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.looked) < lookAtSpace {
		return f.held
	}
	f.looked, f.space = now, f.Space()
	was := f.held
	f.held = f.judge(now)
	ctx := context.Background()
	switch {
	case was == nil && f.held != nil:
		f.Log.WarnContext(ctx, "reading stops for lack of room", "free_bytes", f.space.FreeBytes, "known", f.space.Known, "needed_bytes", f.enough())
	case was != nil && f.held == nil:
		f.Log.InfoContext(ctx, "there is room again, reading goes on", "free_bytes", f.space.FreeBytes)
	}
	return f.held
}

// warn says that mail is not read for lack of room, or will not be before long: less
// than twice of what must be free is; nil: there is enough.
func (f *floor) warn() *postroom.Fault {
	if held := f.hold(); held != nil {
		return held
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.space.Known || f.space.FreeBytes >= 2*f.MinBytes {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "The disk that holds Postroom's data is running low.",
		Remedy:      fmt.Sprintf("Make room on it: %s are free, and below %s no more mail is brought in.", sizeWords(f.space.FreeBytes), sizeWords(f.MinBytes)),
	}
}

func (f *floor) judge(now time.Time) *postroom.Fault {
	needed := f.MinBytes
	if f.held != nil {
		needed = f.enough()
	}
	isLow := f.space.Known && f.space.FreeBytes < needed
	if !isLow && (f.space.FullAt.IsZero() || now.Sub(f.space.FullAt) >= fullFor) {
		return nil
	}
	if f.held != nil && now.Sub(f.heldAt) < sameWords {
		return f.held
	}
	f.heldAt = now
	return f.words(isLow)
}

func (f *floor) words(isLow bool) *postroom.Fault {
	fault := &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "The disk that holds Postroom's data is full, so no mail is being brought in.",
		Remedy:      "Make room on it. Nothing is lost: mail waits on its server, and reading goes on by itself within seconds.",
	}
	switch {
	case isLow:
		fault.Explanation = fmt.Sprintf("Only %s are free on the disk that holds Postroom's data, so no mail is being brought in.", sizeWords(f.space.FreeBytes))
		fault.Remedy = fmt.Sprintf("Make room until %s are free. Nothing is lost: mail waits on its server, and reading goes on by itself within seconds.", sizeWords(f.enough()))
	case !f.space.Known:
		fault.Explanation = "The disk of the database server is full, so no mail is being brought in."
		fault.Remedy = "Make room on the disk of PostgreSQL. Nothing is lost: mail waits on its server, and reading goes on by itself within seconds."
	}
	return fault
}

// sizeWords is a number of bytes as people read it.
func sizeWords(bytes int64) string {
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%d GB", bytes>>30)
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
	default:
		return fmt.Sprintf("%d MB", max(bytes, 0)>>20)
	}
}

var (
	freeBytesMetric = prometheus.NewDesc("postroom_disk_free_bytes", "What may still be written where the data directory is (SQLite only).", nil, nil)
	minBytesMetric  = prometheus.NewDesc("postroom_disk_min_free_bytes", "Below this no mail is read (--min-free).", nil, nil)
	heldMetric      = prometheus.NewDesc("postroom_reading_held", "1 while no mail is read for lack of room.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (f *floor) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{freeBytesMetric, minBytesMetric, heldMetric} {
		descriptions <- d
	}
}

// Collect is part of prometheus.Collector.
func (f *floor) Collect(metrics chan<- prometheus.Metric) {
	held := 0.0
	if f.hold() != nil {
		held = 1
	}
	f.mu.Lock()
	space := f.space
	f.mu.Unlock()
	if space.Known {
		metrics <- prometheus.MustNewConstMetric(freeBytesMetric, prometheus.GaugeValue, float64(space.FreeBytes))
	}
	metrics <- prometheus.MustNewConstMetric(minBytesMetric, prometheus.GaugeValue, float64(f.MinBytes))
	metrics <- prometheus.MustNewConstMetric(heldMetric, prometheus.GaugeValue, held)
}
