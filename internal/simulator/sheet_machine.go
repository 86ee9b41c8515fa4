package simulator

import (
	"fmt"
	"strings"
	"time"
)

// bounce is what a mail server sends when it cannot deliver (RFC 3464). The text of
// the letter is the address that does not exist.
func (s *sheet) bounce() []byte {
	gone := strings.TrimSpace(s.text())
	sent := s.at.Add(-3 * time.Second).Format(time.RFC1123Z)
	explanation := textEntity("plain", "", fmt.Sprintf(`This is the mail system at host mx.example.net.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<%s>: host mail.example.com[192.0.2.25] said: 550 5.1.1
    <%s>: Recipient address rejected: User unknown (in reply to RCPT TO command)
`, gone, gone))
	status := leaf("message/delivery-status", "7bit", lines(
		"Reporting-MTA: dns; mx.example.net", "Arrival-Date: "+sent, "",
		"Final-Recipient: rfc822; "+gone, "Original-Recipient: rfc822;"+gone, "Action: failed", "Status: 5.1.1",
		"Remote-MTA: dns; mail.example.com",
		"Diagnostic-Code: smtp; 550 5.1.1 <"+gone+">: Recipient address rejected: User unknown", ""))
	original := leaf("message/rfc822", "7bit", message([]field{
		{"Date", sent}, {"From", companyName + " <" + s.account + ">"}, {"To", gone},
		{"Subject", s.fill.Replace("Your offer {order}")}, {"Message-ID", "<" + s.ourID() + ">"},
	}, textEntity("plain", "", "Dear Mr McAllister,\n\nplease find our offer below, as discussed on the telephone.\n\nHarbour Cycles\n")))
	fields := s.fields(field{"Auto-Submitted", "auto-replied"})
	fields[0].value = "<>" // RFC 5321 section 4.5.5
	return message(fields, multipartEntity("report; report-type=delivery-status", s.boundary("dsn"), explanation, status, original))
}

// newsletter is what a mailing list sends (RFC 2919, RFC 8058).
func (s *sheet) newsletter() []byte {
	return message(s.fields(
		field{"List-Id", "Portside Business Club <news.club.example.org>"},
		field{"List-Unsubscribe", "<https://club.example.org/unsubscribe?id=" + s.id + ">, <mailto:leave@club.example.org>"},
		field{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"}, field{"Precedence", "bulk"},
	), multipartEntity("alternative", s.boundary("alt"),
		textEntity("plain", "", newsletterText), textEntity("html", "", newsletterHTML)))
}

const newsletterText = `HARBOUR MARKET: Stalls can be booked from Monday.
PARKING: The north quay is closed to cars until the end of the month.
A NEW NEIGHBOUR: Say hello to the sailmaker in shed 9.

You get this letter because you are a member of the Portside Business Club.
`

const newsletterHTML = `<!DOCTYPE html>
<html><body style="background:#eef"><table width="600" align="center"><tr><td>
<img src="https://club.example.org/img/header.jpg" width="600" height="120" alt="Portside Business Club">
<h1>Harbour market</h1><p>Stalls can be booked from Monday. <a href="https://club.example.org/market">Book a stall</a></p>
<h2>Parking</h2><p>The north quay is closed to cars until the end of the month.</p>
<h2>A new neighbour</h2><p>Say hello to the sailmaker in shed 9.</p>
<p style="font-size:11px">You get this letter because you are a member. <a href="https://club.example.org/unsubscribe">Leave</a></p>
</td></tr></table></body></html>
`

// broken is what an old scanner sends: a header line that is none, bytes beyond
// ASCII in the header, parts without a boundary that is named, base64 that ends in
// the middle of a letter, and no end.
func (s *sheet) broken() []byte {
	head := lines(
		"Received: from scan2 by mx.example.net; "+s.at.Format(time.RFC1123Z),
		"Date: "+s.at.Format("02.01.2006 15:04"),
		"From: Scan Station 2 <scanner@print.example.com",
		"To: "+s.account,
		"Message-ID: <"+s.id+">",
		"Subject: Scanned document f\xfcr Harbour Cycles",
		"this line has no colon and should not be here",
		"MIME-Version: 1.0",
		"Content-Type: multipart/mixed; boundary",
		"Content-Transfer-Encoding: x-scanner",
		"",
		"--scan",
		"Content-Type: text/plain; charset=x-unknown",
		"",
		"Your scan is attached. 3 pages, 300 dpi. Gr\xfc\xdfe",
		"--scan",
		"Content-Type: application/pdf; name=\"scan 0042.pdf",
		"Content-Transfer-Encoding: base64",
		"")
	return append(head, "JVBERi0xLjQKJeLjz9MKMSAwIG9iago8PAovVHlwZSAvQ2F0YWxvZw=!!==\r\nL1BhZ2VzIDIgMC"...)
}

func lines(all ...string) []byte { return []byte(strings.Join(all, "\r\n") + "\r\n") }
