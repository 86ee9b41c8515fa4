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

// Signing thousands of mailboxes in takes much that is not needed afterwards, and
// while they wait nothing makes the collector run that would find it.
const (
	calm       = 10 * time.Second // without a run of the collector
	worthwhile = 4                // what lies about is given back when it is more than a quarter of what is alive
	pause      = 6                // between two times, in times calm
)

// tendMemory keeps the collector's reserve in proportion until ctx ends, and gives
// memory back where it has become calm. A limit that somebody has set with GOGC is
// left alone.
func tendMemory(ctx context.Context) error {
	if gcPercent() != usualGrowth {
		return nil
	}
	tick := time.NewTicker(calm)
	defer tick.Stop()
	defer debug.SetGCPercent(usualGrowth)
	growth, cycles := usualGrowth, uint64(0)
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		m := readMemory()
		wanted := usualGrowth
		if m.alive > muchAlive {
			wanted = smallGrowth
		}
		if wanted != growth {
			growth = wanted
			debug.SetGCPercent(growth)
		}
		if m.cycles == cycles && m.idle+m.stacks > m.alive/worthwhile && m.alive+m.stacks > muchAlive && turn >= pause {
			debug.FreeOSMemory() // stacks shrink by half with it, too
			turn, m = 0, readMemory()
		}
		cycles = m.cycles
	}
}

// A memory is what the collector knows, in bytes and runs.
type memory struct {
	alive, idle, stacks, cycles uint64
}

func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	return memory{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()}
}

// gcPercent is the collector's setting.
func gcPercent() int {
	setting := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(setting)
	return int(setting[0].Value.Uint64())
}
