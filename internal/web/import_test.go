package web

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/testbed"
)

// readList reads lines of address, server and password, with blanks between.
func readList(_ context.Context, text []byte) (lines []ImportLine, err error) {
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		part := strings.Fields(line)
		if len(part) != 3 {
			return nil, &postroom.Fault{Kind: postroom.Invalid, Explanation: "The first line of this list does not name columns.", Remedy: "Name them."}
		}
		one := ImportLine{Number: i + 1, Line: mailbox.Line{Address: part[0]}}
		one.Apply = func(m *postroom.Mailbox) error { m.Address, m.Incoming.Host = part[0], part[1]; return nil }
		one.Mailbox = &mailbox.Credential{Password: postroom.Hide(part[2])}
		lines = append(lines, one)
	}
	return lines, nil
}

func (b *browser) upload(path, list string, fields ...string) answer {
	b.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "list.csv")
	if err == nil {
		_, err = file.Write([]byte(list))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if err == nil {
			err = form.WriteField(fields[i], fields[i+1])
		}
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.site.URL+path, &body)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.send(r)
}

func TestBringInMany(t *testing.T) {
	o := openOffice(t)
	o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	b.get("/mailboxes").has(t, http.StatusOK, importAddress)
	b.get(importAddress).has(t, http.StatusOK, "Look at the list", `enctype="multipart/form-data"`)

	list := "support@example.net imap.b.example secret1\nsales@example.net imap.example.net secret2\nnobody imap.example.net secret3\nsales@example.net imap.example.net secret4\n"
	look := b.upload(importAddress, list)
	look.has(t, http.StatusOK, "1 to connect, 1 to change, 2 not possible.", "Connect 1 mailbox and change 1", "Gets new settings", "mail server", "a new password", "is in the list twice", "Not possible")
	if _, err := o.db.MailboxByAddress(t.Context(), "sales@example.net"); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("looking at a list brings in a mailbox: %v", err)
	}
	done := b.upload(importAddress, list, "do", "connect")
	done.has(t, http.StatusOK, "1 connected, 1 changed, 2 not possible.", "/mailboxes/2", "Connected")
	for _, page := range []answer{look, done} {
		if strings.Contains(page.body, "secret") {
			t.Error("a page shows a password of the list")
		}
	}
	b.upload(importAddress, "sales@example.net imap.example.net secret2").has(t, http.StatusOK, "1 here already.", "There is nothing to do.")

	b.upload(importAddress, "nonsense").has(t, http.StatusUnprocessableEntity, "does not name columns")
	b.post(importAddress, nil).has(t, http.StatusUnprocessableEntity, "No list has come with this.")
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	if a := agent.get(importAddress); a.status != http.StatusForbidden {
		t.Errorf("an agent may bring in mailboxes: %d", a.status)
	}
}

func TestImportSentence(t *testing.T) {
	counts := map[mailbox.ImportOutcome]int64{mailbox.ImportCreated: 1200, mailbox.ImportContinued: 3, mailbox.ImportUnchanged: 40}
	if got, _ := importSentence(counts, false); got != "1,203 to connect, 40 here already." {
		t.Errorf("importSentence = %q", got)
	}
	if got := importButton(counts); got != "Connect 1,203 mailboxes" {
		t.Errorf("importButton = %q", got)
	}
}

func TestBringInManyInTheBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	var list strings.Builder
	for i := range 12 {
		fmt.Fprintf(&list, "box%d@example.net imap.example.net secret%d\n", i, i)
	}
	file := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+importAddress))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	do(t, ctx, chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	click(t, ctx, `form[action="/mailboxes/import"] button`)
	wait(t, ctx, "it says what would become of each", `document.querySelector("#found").innerText.includes("12 to connect.") && document.querySelectorAll("#found tbody tr").length === 12`)
	click(t, ctx, `#found button[value="connect"]`)
	wait(t, ctx, "they are connected, without the file being chosen again", `document.querySelector("#found").innerText.includes("12 connected.")`)
	complaints.fail(t)
}
