package testbed

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// Chromium returns the chromedp context of a fresh headless browser, which is
// closed when the test ends.
func Chromium(t testing.TB) context.Context {
	t.Helper()
	Need(t, NeedChromium)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(locate(NeedChromium)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1280, 900),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(startLimit),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // the sandbox refuses root
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser; one that crashed is closed too
		closeBrowser()
		closeAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}
