package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postroom/postroom"
)

func TestAFaultIsKeptWhole(t *testing.T) {
	want := &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.AccountPasswordPasted, FixBy: postroom.FixByUser,
		Explanation: "Google refused this password.", Remedy: "Create an app password.",
		Link:   postroom.Link{Words: "Google’s page for app passwords", URL: "https://myaccount.google.com/apppasswords"},
		Others: []string{"the name or the password is not right", "IMAP is switched off"},
		Field:  "credential.password", RetryAfter: 90 * time.Second, Reply: "NO [AUTHENTICATIONFAILED] no",
		Err: context.Canceled, // for the log, which is not kept
	}
	got := unpackFault(packFault(want))
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(postroom.Fault{}, "Err")); diff != "" || got.Err != nil {
		t.Errorf("kept fault (-want +got):\n%s, with cause %v", diff, got.Err)
	}
	if unpackFault(packFault(nil)) != nil {
		t.Error("no fault becomes one")
	}
}
