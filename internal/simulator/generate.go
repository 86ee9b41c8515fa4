package simulator

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/mail"
	"strings"
	"time"
)

// Generate makes n messages of mixed shape for load tests, 1 to 200 KB and about
// 22 KB on average: plain text, HTML with its text, attachments, replies to one
// another, several charsets. The same seed makes the same messages. Message-IDs are
// unique; one message in a hundred has none.
func Generate(seed uint64, n int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for i := range n {
			if !yield(i, Generated(seed, i)) {
				return
			}
		}
	}
}

// Generated makes message i of Generate, counted from 0, without those before it.
func Generated(seed uint64, i int) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	language := languages[r.IntN(len(languages))]
	if r.IntN(2) == 0 {
		language = languages[0]
	}
	at := generatedFrom.Add(time.Duration(i) * 7 * time.Minute)
	from := mail.Address{Name: language.name, Address: fmt.Sprintf("person%03d@example.com", r.IntN(400))}
	subject := language.sentence(r, 3+r.IntN(8))
	if len(subject) > 200 {
		subject = subject[:strings.LastIndexByte(subject[:200], ' ')]
	}
	fields := []field{
		{"Received", "from mail.example.com by mx.example.net with ESMTPS; " + at.Format(time.RFC1123Z)},
		{"Date", at.Format(time.RFC1123Z)},
		{"From", headerAddress(language.charset, from)},
		{"To", "Load test <load@example.net>"},
	}
	if hasGeneratedID(i) {
		fields = append(fields, field{"Message-ID", "<" + generatedID(seed, i) + ">"})
	}
	if ancestors := generatedAncestors(seed, i); len(ancestors) > 0 {
		subject = "Re: " + subject
		fields = append(fields, field{"In-Reply-To", "<" + ancestors[len(ancestors)-1] + ">"},
			field{"References", "<" + strings.Join(ancestors, "> <") + ">"})
	}
	fields = append(fields, field{"Subject", headerText(language.charset, subject)})
	return message(fields, language.content(r, fmt.Sprintf("=_%x_%d", seed, i)))
}

var generatedFrom = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func hasGeneratedID(i int) bool { return i%100 != 57 }

func generatedID(seed uint64, i int) string { return fmt.Sprintf("%d.%x@load.example.com", i, seed) }

// generatedAncestors returns the Message-IDs that message i refers to, oldest first,
// at most six. Three in ten messages are replies to one of the fifty before them.
func generatedAncestors(seed uint64, i int) []string {
	var ids []string
	for len(ids) < 6 {
		r := rand.New(rand.NewPCG(seed+1, uint64(i)))
		if i == 0 || r.IntN(10) >= 3 {
			break
		}
		i -= 1 + r.IntN(min(i, 50))
		if !hasGeneratedID(i) {
			break
		}
		ids = append([]string{generatedID(seed, i)}, ids...)
	}
	return ids
}

// A language is what a generated message is written in.
type language struct {
	charset string // empty: UTF-8
	name    string
	words   []string
}

// languages are those of the generated messages; the first writes half of them.
var languages = []language{
	{"", "Morgan Reed", strings.Fields(`the order invoice we have not yet received please let us know when delivery will be
		made because our customers are waiting for it and I would like to tell them something thank you for your quick
		reply last week which helped a lot could you also send the price list of next year with the new colours`)},
	{"windows-1252", "Jürgen Größmann", strings.Fields(`der Auftrag die Rechnung wir haben noch nichts erhalten bitte teilen Sie uns mit wann
		die Lieferung für unsere Kunden möglich ist schöne Grüße über eine schnelle Antwort würden wir uns freuen größere
		Stückzahl könnte günstiger sein außerdem fehlt der Lieferschein – danke`)},
	{"iso-8859-15", "Noëlle Fontaine", strings.Fields(`la commande facture nous n'avons pas encore reçu merci de nous indiquer le délai prévu
		parce que nos clients attendent déjà très cordialement où êtes-vous passés après la fête prix 1 200 € été`)},
	{"iso-2022-jp", "田中 健一", strings.Fields(`注文 について まだ 届いて おりません 納期 を お知らせ ください 請求書 の 件 よろしく お願い いたします
		新しい カタログ も 送って いただけますか ありがとう ございます`)},
	{"koi8-r", "Наталья Орлова", strings.Fields(`заказ счёт мы ещё не получили пожалуйста сообщите когда будет доставка потому что наши
		клиенты ждут спасибо за быстрый ответ пришлите новый прайс на следующий год`)},
	{"", "Łucja Żak", strings.Fields(`zamówienie faktura jeszcze nie otrzymaliśmy proszę o informację kiedy będzie dostawa ponieważ nasi
		klienci czekają dziękuję za szybką odpowiedź 👍 cena 1 200 zł`)},
}

// content makes a body, from one in three shapes.
func (l language) content(r *rand.Rand, boundary string) entity {
	shape := r.IntN(100)
	size := 800 + r.IntN(4000) // bytes of text
	if shape >= 90 {
		size = 1000
	}
	if shape%10 == 0 && shape < 90 {
		size *= 6
	}
	text := l.text(r, size)
	plain := textEntity("plain", l.charset, text)
	if shape < 40 {
		return plain
	}
	page := textEntity("html", l.charset, l.html(r, text))
	both := multipartEntity("alternative", boundary+"a", plain, page)
	if shape < 80 {
		return both
	}
	var parts = []entity{both}
	for n := range 1 + r.IntN(3) {
		size := 3_000 + r.IntN(27_000)
		parts = append(parts, fileEntity("application/octet-stream", "attachment", fmt.Sprintf("file %d.bin", n+1), "", noise(r, size)))
	}
	return multipartEntity("mixed", boundary+"m", parts...)
}

func (l language) sentence(r *rand.Rand, words int) string {
	picked := make([]string, words)
	for i := range picked {
		picked[i] = l.words[r.IntN(len(l.words))]
	}
	return strings.Join(picked, " ")
}

// text makes paragraphs of about so many bytes.
func (l language) text(r *rand.Rand, bytes int) string {
	var b strings.Builder
	for b.Len() < bytes {
		for range 1 + r.IntN(4) {
			b.WriteString(l.sentence(r, 8+r.IntN(4)) + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// html dresses text as mail programs do, with far more dress than text.
func (l language) html(r *rand.Rand, text string) string {
	var b strings.Builder
	b.WriteString("<html><head><meta name=\"generator\" content=\"load test\">\n<style>\n")
	for i := range 10 + r.IntN(90) {
		fmt.Fprintf(&b, "p.style%d, li.style%d { margin: 0cm; font-family: \"Calibri\", sans-serif; font-size: %dpt }\n", i, i, 8+r.IntN(6))
	}
	b.WriteString("</style></head><body>\n")
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		fmt.Fprintf(&b, "<p class=\"style%d\"><span style=\"color:#1f497d\">%s</span></p>\n", r.IntN(10), line)
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

func noise(r *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
