package mime

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decodeCharset returns raw as text. It believes label where label is known and
// fits; otherwise raw is UTF-8 if it is valid UTF-8, and windows-1252 if not.
// ok is false when label said something that could not be believed.
func decodeCharset(raw []byte, label string) (text string, ok bool) {
	label = canonicalLabel(label)
	ok = true
	switch label {
	case "", "us-ascii", "utf-8":
	case "utf-7":
		return clean(decodeUTF7(string(raw))), true
	default:
		if enc := lookupEncoding(label); enc != nil {
			if text, err := enc.NewDecoder().Bytes(raw); err == nil {
				return clean(string(text)), true
			}
		}
		ok = false
	}
	if utf8.Valid(raw) {
		return clean(string(raw)), ok
	}
	if label == "utf-8" && isMostlyUTF8(raw) {
		return clean(strings.ToValidUTF8(string(raw), "\uFFFD")), false
	}
	text8, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil {
		return clean(strings.ToValidUTF8(string(raw), "\uFFFD")), false
	}
	return clean(string(text8)), ok && label == ""
}

// isMostlyUTF8 says whether raw has more well-formed multi-byte characters than
// broken bytes: cut or damaged UTF-8 rather than another charset.
func isMostlyUTF8(raw []byte) bool {
	good, bad := 0, 0
	for len(raw) > 0 {
		if raw[0] < utf8.RuneSelf {
			raw = raw[1:]
			continue
		}
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n <= 1 {
			bad++
		} else {
			good++
		}
		raw = raw[n:]
	}
	return good > bad
}

// canonicalLabel brings the spellings of a charset seen in mail to one.
func canonicalLabel(label string) string {
	label = strings.ToLower(strings.Trim(label, " \t\r\n\"'<>;,"))
	if name, ok := labelSpellings[label]; ok {
		return name
	}
	return label
}

var labelSpellings = map[string]string{
	"utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "utf_8": "utf-8", "x-utf-8": "utf-8", "utf-8mb4": "utf-8", "utf8mb4": "utf-8",
	"unicode-1-1-utf-7": "utf-7", "utf7": "utf-7", "x-unicode-2-0-utf-7": "utf-7", "unicode-2-0-utf-7": "utf-7",
	"ascii": "us-ascii", "us_ascii": "us-ascii", "ansi_x3.4-1968": "us-ascii", "ansi_x3.4-1986": "us-ascii", "iso646-us": "us-ascii", "646": "us-ascii",
	"iso-ir-6": "us-ascii", "iso_646.irv:1991": "us-ascii", "7bit": "us-ascii", "x-unknown": "", "unknown": "", "unknown-8bit": "", "x-unknown-8bit": "",
	"8bit": "", "binary": "", "default": "", "x-user-defined": "", "default_charset": "", "user-defined": "", "utf": "utf-8",
	"ansi": "windows-1252", "windows-1252http-equivcontent-type": "windows-1252",
	"iso-2022-jp-1": "iso-2022-jp", "iso-2022-jp-2": "iso-2022-jp", "iso-2022-jp-3": "iso-2022-jp", "iso-2022-jp-ms": "iso-2022-jp",
	"cp50220": "iso-2022-jp", "cp50221": "iso-2022-jp", "cp50222": "iso-2022-jp", "iso-2022-jp-2004": "iso-2022-jp",
	"cp932": "shift_jis", "ms932": "shift_jis", "windows-932": "shift_jis", "shift-jis-2004": "shift_jis", "shift_jisx0213": "shift_jis", "sjis": "shift_jis",
	"cp936": "gbk", "ms936": "gbk", "windows-936": "gbk", "x-gbk": "gbk", "gb18030-2000": "gb18030", "gb18030-0": "gb18030",
	"cp949": "euc-kr", "ms949": "euc-kr", "uhc": "euc-kr", "x-windows-949": "euc-kr", "ks_c_5601": "euc-kr", "5601": "euc-kr", "ksc-5601": "euc-kr",
	"cp950": "big5", "ms950": "big5", "big5-eten": "big5", "big-5": "big5", "x-big5": "big5",
	"latin-1": "iso-8859-1", "latin_1": "iso-8859-1", "latin1_swedish_ci": "iso-8859-1", "iso8859_1": "iso-8859-1", "latin-9": "iso-8859-15", "latin9": "iso-8859-15", "latin-2": "iso-8859-2",
	"cp-850": "ibm850", "cp850": "ibm850", "cp437": "ibm437", "cp-437": "ibm437", "cp852": "ibm852", "cp855": "ibm855", "cp858": "ibm858", "cp860": "ibm860",
	"cp862": "ibm862", "cp863": "ibm863", "cp865": "ibm865", "mac": "macintosh", "x-mac-roman": "macintosh", "macroman": "macintosh",
	"tis-620": "windows-874", "cp874": "windows-874", "hebrew": "iso-8859-8", "visual": "iso-8859-8",
	"utf16": "utf-16", "ucs-2": "utf-16be", "ucs2": "utf-16be", "iso-10646-ucs-2": "utf-16be", "utf32": "utf-32",
}

// lookupEncoding finds the decoder of a label; nil when there is none.
func lookupEncoding(label string) encoding.Encoding {
	switch label {
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312
	case "utf-16":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case "utf-32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	case "utf-32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	case "iso-2022-kr":
		return nil
	}
	for _, name := range labelVariants(label) {
		if enc, canonical := charset.Lookup(name); enc != nil && canonical != "replacement" {
			return enc
		}
		if enc, err := ianaindex.IANA.Encoding(name); err == nil && enc != nil {
			return enc
		}
	}
	return nil
}

// labelVariants are the names under which a label may be listed: cp1252,
// cp-1252, win-1252, x-cp1252 and iso8859-1, iso_8859-1 have all been seen.
func labelVariants(label string) []string {
	names := []string{label}
	bare := strings.TrimPrefix(label, "x-")
	for _, prefix := range []string{"windows-", "windows", "win-", "win", "cp-", "cp", "ansi-", "ms-", "ibm-"} {
		if page, ok := strings.CutPrefix(bare, prefix); ok && page != "" && page[0] >= '0' && page[0] <= '9' {
			return append(names, "windows-"+page, "ibm"+page)
		}
	}
	if strings.HasPrefix(bare, "iso") {
		digits := strings.TrimLeft(strings.TrimPrefix(bare, "iso"), "-_ ")
		digits = strings.NewReplacer("_", "-", " ", "-", ":", "-").Replace(digits)
		names = append(names, "iso-"+digits)
		if part, ok := strings.CutPrefix(digits, "8859"); ok {
			names = append(names, "iso-8859-"+strings.TrimLeft(part, "-"))
			if at := strings.LastIndexByte(strings.TrimLeft(part, "-"), '-'); at > 0 { // iso-8859-1-windows-3.1-latin-1, iso_8859-1:1987
				names = append(names, "iso-8859-"+strings.SplitN(strings.TrimLeft(part, "-"), "-", 2)[0])
			}
		}
	}
	return append(names, bare)
}

// clean returns text as valid UTF-8 without U+0000, line ends untouched.
func clean(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
