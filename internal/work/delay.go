package work

import (
	"math"
	"math/rand/v2"
	"time"
)

// A Delay is a schedule of growing pauses with a ceiling. The zero Delay begins
// with a second, doubles, and stops growing at five minutes.
type Delay struct {
	First  time.Duration // the pause after the first failure; 0: a second
	Max    time.Duration // no pause is longer; 0: five minutes
	Factor float64       // by how much each pause outgrows the one before; under 1: 2
	// Jitter is the share of each pause, up to 1, that chance may take away, so
	// that what broke together is not tried again together. 0: a quarter;
	// negative: none.
	Jitter float64
	// Random returns a number in [0, 1); nil: the one of math/rand/v2.
	Random func() float64
}

// After returns the pause after so many failures in a row: none after none, and
// never more than Max.
func (d Delay) After(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	d = d.withDefaults()
	pause := float64(d.First) * math.Pow(d.Factor, float64(failures-1))
	pause = min(pause, float64(d.Max)) // also where the power is infinite
	return time.Duration(pause * (1 - d.Jitter*d.Random()))
}

// AfterAsked is After where the other side has asked for a pause of its own. That
// one is a floor, even above Max, and chance only ever adds to it.
func (d Delay) AfterAsked(failures int, asked time.Duration) time.Duration {
	pause := d.After(failures)
	if asked <= 0 || asked < pause {
		return pause
	}
	d = d.withDefaults()
	return asked + time.Duration(float64(d.First)*d.Jitter*d.Random())
}

func (d Delay) withDefaults() Delay {
	if d.First <= 0 {
		d.First = time.Second
	}
	if d.Max <= 0 {
		d.Max = 5 * time.Minute
	}
	if d.Factor < 1 {
		d.Factor = 2
	}
	switch {
	case d.Jitter == 0:
		d.Jitter = 0.25
	case d.Jitter < 0:
		d.Jitter = 0
	}
	d.Jitter = min(d.Jitter, 1)
	if d.Random == nil {
		d.Random = rand.Float64
	}
	return d
}
