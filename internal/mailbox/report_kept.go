package mailbox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A keptStep is a step of a report that somebody reads later.
type keptStep struct {
	Step   StepKind        `json:"step"`
	OK     bool            `json:"ok"`
	TookMS int64           `json:"took_ms"`
	Detail string          `json:"detail,omitempty"`
	Fault  *postroom.Fault `json:"fault,omitempty"` // its cause is for the log only
}

// Pack returns the steps of a report, to be kept. Nothing of it is secret.
func (r Report) Pack() []byte {
	steps := make([]keptStep, 0, len(r.Steps))
	for _, s := range r.Steps {
		kept := keptStep{Step: s.Kind, OK: s.OK, TookMS: s.Took.Milliseconds(), Detail: s.Detail}
		if s.Fault != nil {
			fault := *s.Fault
			fault.Err = nil
			kept.Fault = &fault
		}
		steps = append(steps, kept)
	}
	text, err := json.Marshal(steps)
	if err != nil { // strings, numbers and truths can always be written
		return nil
	}
	return text
}

// UnpackSteps reads what Pack has made.
func UnpackSteps(packed []byte) ([]Step, error) {
	if len(packed) == 0 {
		return []Step{}, nil
	}
	var kept []keptStep
	if err := json.Unmarshal(packed, &kept); err != nil {
		return nil, fmt.Errorf("read the steps of a test: %w", err)
	}
	steps := make([]Step, 0, len(kept))
	for _, k := range kept {
		steps = append(steps, Step{Kind: k.Step, OK: k.OK, Took: time.Duration(k.TookMS) * time.Millisecond, Detail: k.Detail, Fault: k.Fault})
	}
	return steps, nil
}
