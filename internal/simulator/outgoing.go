package simulator

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// outgoing is the way to the client, where bytes are counted, delayed, divided and
// lost. Who holds its lock writes one whole response.
type outgoing struct {
	call   *call
	mu     sync.Mutex
	now    *Faults // that hold at the moment
	sent   int64   // bytes, since they hold
	texts  int     // message texts begun, since they hold
	silent bool    // for good
}

// faults returns the faults of the moment; with new ones counting begins anew.
func (o *outgoing) faults() *Faults {
	if f := o.call.faults(); f != o.now {
		o.now, o.sent, o.texts = f, 0, 0
	}
	return o.now
}

var errCut = errors.New("cut by a fault")

// say sends one line.
func (o *outgoing) say(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.write([]byte(line + "\r\n")) // a client that is gone ends the connection elsewhere
}

// write sends bytes as the faults of the moment have it.
func (o *outgoing) write(b []byte) error {
	for len(b) > 0 {
		f := o.faults()
		if f.Garbage {
			b = o.garbage(len(b))
		}
		if o.silent = o.silent || f.Silent; o.silent {
			return nil
		}
		n, pause := len(b), time.Duration(0)
		if f.BytesPerSecond > 0 {
			const ticks = 20 // a second
			n = min(n, max(1, f.BytesPerSecond/ticks))
			pause = time.Second * time.Duration(n) / time.Duration(f.BytesPerSecond)
		}
		if f.OneBytePerPacket {
			n = 1
		}
		end := false
		if left := f.CutAfterBytes - o.sent; f.CutAfterBytes > 0 && int64(n) >= left {
			n, end = int(max(0, left)), true
		}
		if _, err := o.call.connection().Write(b[:n]); err != nil {
			return err
		}
		o.sent += int64(n)
		b = b[n:]
		if end {
			return errCut
		}
		if err := o.call.wait(pause); err != nil {
			return err
		}
	}
	return nil
}

// garbage makes n bytes that mean nothing, the same in every run.
func (o *outgoing) garbage(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(o.sent), 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// copy sends n bytes of in.
func (o *outgoing) copy(in io.Reader, n int64) error {
	buffer := make([]byte, min(n, 32<<10))
	for n > 0 {
		part := buffer[:min(n, int64(len(buffer)))]
		if _, err := io.ReadFull(in, part); err != nil {
			return err
		}
		if err := o.write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}
