package mailbox

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestStepsOfAReportAreReadAsTheyWereKept(t *testing.T) {
	fault := postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.IMAPDisabled, FixBy: postroom.FixByUser, Explanation: "IMAP is off.", Remedy: "Switch it on.",
		Link: postroom.Link{Words: "Settings", URL: "https://example.net/"}, Others: []string{"another"}, Reply: "NO", RetryAfter: time.Minute,
	}
	failed := fault
	failed.Err = errors.New("for the log only")
	r := Report{Steps: []Step{
		{Kind: StepConnection, OK: true, Took: 12 * time.Millisecond, Detail: "imap.example.net"},
		{Kind: StepSignIn, Took: time.Second, Fault: &failed},
	}}
	got, err := UnpackSteps(r.Pack())
	want := []Step{r.Steps[0], {Kind: StepSignIn, Took: time.Second, Fault: &fault}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("UnpackSteps = %v, %v", cmp.Diff(want, got), err)
	}
	if got, err := UnpackSteps(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing is %v, %v", got, err)
	}
	if _, err := UnpackSteps([]byte("{")); err == nil {
		t.Error("what cannot be read was read")
	}
}
