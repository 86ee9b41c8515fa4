package web

// htmxConfig keeps htmx within the Content-Security-Policy, keeps mail out of the
// browser's local storage, and shows what the server says also when it refuses.
// What it brings acts at once: by default a new row is a plain link for 20 ms.
const htmxConfig = `{"allowEval":false,"defaultSettleDelay":0,"includeIndicatorStyles":false,"selfRequestsOnly":true,"allowScriptTags":false,` +
	`"historyCacheSize":0,"refreshOnHistoryMiss":true,"timeout":60000,"responseHandling":[{"code":"204","swap":false},` +
	`{"code":"[2345]..","swap":true}]}`

// A shortcut is a key and what it does.
type shortcut struct{ Key, Does string }

// shortcuts are the keys that the script knows.
func shortcuts() []shortcut {
	return []shortcut{
		{"/", "Search"},
		{"j", "Next in the list"},
		{"k", "The one before"},
		{"Enter", "Open it"},
		{"x", "Choose a mailbox, with others"},
		{"e", "Close or reopen the issue"},
		{"a", "Assign it to somebody"},
		{"n", "Write a note"},
		{"Ctrl Enter", "Save what you are writing"},
		{"?", "Show these keys"},
	}
}
