package credential

import "time"

const (
	// firstWarning is how long before something ends people are told first.
	firstWarning = 30 * 24 * time.Hour
	// testingLasts is how long a grant lasts of an app whose publishing status at Google is
	// testing (support.google.com/cloud/answer/15549945).
	testingLasts = 7 * 24 * time.Hour
)
