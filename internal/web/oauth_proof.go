package web

import (
	"sync"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// Proofs are the tests of new credentials that this process makes just now, so that
// the page of a sign-in shows each step as it is made. The zero value is ready. A page
// that reaches another process sees the steps together, when they are through.
type Proofs struct {
	mu      sync.Mutex
	running map[postroom.MailboxID][]mailbox.Step
}

// Watch returns what a test is to tell its steps ([mailbox.TestOptions]), and what is
// to be called when it is through and its report is kept.
func (p *Proofs) Watch(id postroom.MailboxID) (progress func(mailbox.Step), through func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		p.running = make(map[postroom.MailboxID][]mailbox.Step)
	}
	p.running[id] = nil
	progress = func(step mailbox.Step) {
		p.mu.Lock()
		defer p.mu.Unlock()
		steps, runs := p.running[id]
		if !runs {
			return
		}
		if last := len(steps) - 1; last >= 0 && steps[last].Running && steps[last].Kind == step.Kind {
			steps[last] = step
			return
		}
		p.running[id] = append(steps, step)
	}
	return progress, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.running, id)
	}
}

// steps are those that were made so far. It may be asked of nil.
func (p *Proofs) steps(id postroom.MailboxID) []mailbox.Step {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]mailbox.Step(nil), p.running[id]...)
}
