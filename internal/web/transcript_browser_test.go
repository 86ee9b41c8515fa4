package web

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

func TestADialogueAppearsLineByLine(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	box := o.box("Support", "support@example.net")
	o.at(ctx, "/mailboxes/"+box.ID.String()+"/transcript")
	click(t, ctx, "form.actions button")
	text(t, ctx, ".silence", "Nothing has been said yet")

	said := store.TranscriptLine{At: time.Now(), Session: "1-1", Direction: 'S', Line: "* OK " + longLine}
	if err := o.db.RecordTranscript(context.Background(), box.ID, []store.TranscriptLine{said, {At: time.Now(), Session: "1-1", Direction: 'C', Line: "P1 NOOP"}}); err != nil {
		t.Fatal(err)
	}
	text(t, ctx, ".transcript", "P1 NOOP")
	wait(t, ctx, "then something has been said", `getComputedStyle(document.querySelector(".silence")).display === "none"`)
	wait(t, ctx, "each line has the time of day, to the second", `[...document.querySelectorAll(".transcript time")].every((t) => /^\d\d:\d\d:\d\d$/.test(t.innerText))`)
	wait(t, ctx, "a short line is one", `document.querySelector(".transcript .ours").getBoundingClientRect().height < 30`)
	fits(t, ctx, "transcript")
	complaints.fail(t)
}

const longLine = "[CAPABILITY IMAP4rev1 SASL-IR LITERAL- UNSELECT ENABLE IDLE UTF8=ACCEPT NAMESPACE UIDPLUS ESEARCH LIST-EXTENDED LIST-STATUS MOVE SPECIAL-USE] in"
