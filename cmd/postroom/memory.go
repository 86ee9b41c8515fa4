package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go's collector lets memory grow to twice of what is alive before it collects.
// With few mailboxes that is little, and quick. With thousands, which mostly wait,
// it would be most of the memory for nothing.
const (
	muchAlive   = 28 << 20 // bytes
	usualGrowth = 100      // percent of what is alive
	smallGrowth = 35
)

// tendMemory keeps the collector's reserve in proportion until ctx ends. A limit
// that somebody has set with GOGC is left alone.
func tendMemory(ctx context.Context) error {
	if gcPercent() != usualGrowth {
		return nil
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	defer debug.SetGCPercent(usualGrowth)
	growth := usualGrowth
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(live)
		wanted := usualGrowth
		if live[0].Value.Uint64() > muchAlive {
			wanted = smallGrowth
		}
		if wanted != growth {
			growth = wanted
			debug.SetGCPercent(growth)
		}
	}
}

// gcPercent is the collector's setting.
func gcPercent() int {
	setting := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(setting)
	return int(setting[0].Value.Uint64())
}
