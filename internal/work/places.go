package work

import "container/heap"

// places are a number of places and those who wait for one. Whoever owns them
// guards them.
type places struct {
	limit, taken int
	waiting      waiters
	asked        uint64 // how many have ever waited
}

// A waiter is told on ready that it has its place.
type waiter struct {
	urgency int64
	came    uint64
	at      int // in the heap; -1: not any more
	ready   chan struct{}
}

// ask takes a place, or queues for it; nil: it is taken.
func (p *places) ask(urgency int64) *waiter {
	if p.taken < p.limit && len(p.waiting) == 0 {
		p.taken++
		return nil
	}
	p.asked++
	w := &waiter{urgency: urgency, came: p.asked, ready: make(chan struct{})}
	heap.Push(&p.waiting, w)
	return w
}

// withdraw ends the waiting of w, which may have its place by now.
func (p *places) withdraw(w *waiter) {
	if w.at >= 0 {
		heap.Remove(&p.waiting, w.at)
		return
	}
	p.give()
}

// give gives a place back, and on to those who wait.
func (p *places) give() {
	p.taken--
	p.admit()
}

// admit lets in those for whom there is a place.
func (p *places) admit() {
	for p.taken < p.limit && len(p.waiting) > 0 {
		w := heap.Pop(&p.waiting).(*waiter)
		p.taken++
		close(w.ready)
	}
}

// waiters is a heap: the most urgent first, and of equals who came first.
type waiters []*waiter

func (h waiters) Len() int { return len(h) }

func (h waiters) Less(i, j int) bool {
	if h[i].urgency != h[j].urgency {
		return h[i].urgency > h[j].urgency
	}
	return h[i].came < h[j].came
}

func (h waiters) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for package heap.
func (h *waiters) Push(x any) {
	w := x.(*waiter)
	w.at = len(*h)
	*h = append(*h, w)
}

// Pop is for package heap.
func (h *waiters) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.at = -1
	return w
}
