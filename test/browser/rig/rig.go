// Package rig puts a site of real logs and a browser together, for the tests
// of the pages and for the pictures of them.
package rig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/maillog"
	"waybill/internal/web"
)

// Logs are the files of one gateway.
type Logs struct {
	Gateway string
	Year    int // of the first line, where stamps have none
	Files   []string
}

// Import takes logs into a data directory.
func Import(ctx context.Context, data string, all ...Logs) error {
	im, err := app.OpenImporter(ctx, data, config.Default(), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return err
	}
	for _, l := range all {
		o := app.ImportOptions{Gateway: l.Gateway, Zone: time.UTC, Year: l.Year, Format: maillog.Auto}
		rep, err := im.Import(ctx, o, l.Files)
		if err == nil && rep.Failed() {
			err = errors.New("a log could not be read")
		}
		if err != nil {
			return errors.Join(fmt.Errorf("import logs of %s: %w", l.Gateway, err), im.Close())
		}
	}
	return im.Close()
}

// Site is a site over a data directory. Close ends its reader.
type Site struct {
	http.Handler
	Reader *app.Reader
}

// Open opens a data directory as a site.
func Open(ctx context.Context, data string, o web.Options) (*Site, error) {
	quiet := slog.New(slog.DiscardHandler)
	r, err := app.OpenReader(ctx, data, quiet, o.Now)
	if err != nil {
		return nil, err
	}
	o.Data = r
	h, err := web.New(o)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &Site{h, r}, nil
}

// Report writes what the doctor finds in logs as a page.
func Report(ctx context.Context, path string, zone *time.Location, logs ...string) error {
	r, bad, err := app.Diagnose(ctx, app.Diagnosis{}, logs)
	if err = errors.Join(append(bad, err)...); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(web.WriteDoctor(f, r, zone), f.Close())
}

// Chromium is the program that is driven: of Debian, or what it is called
// elsewhere. "" when there is none.
func Chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Browser starts a browser without a window that asks nothing of the network
// by itself. Contexts that are made of the returned one are its tabs; cancel
// ends it.
func Browser(ctx context.Context, program, profile string) (context.Context, context.CancelFunc, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(filepath.Join(profile, "profile")),
		chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication,CertificateTransparencyComponentUpdater"),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("hide-scrollbars", true),
		// The names of this machine resolve, no others do.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	alloc, stop := chromedp.NewExecAllocator(ctx, options...)
	tab, cancel := chromedp.NewContext(alloc)
	end := func() { cancel(); stop() }
	if err := chromedp.Do(tab); err != nil {
		end()
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	return tab, end, nil
}

// View gives a tab its width, its height and the scheme that the reader
// prefers.
func View(tab context.Context, width, height int64, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride,
		emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	if err == nil {
		_, err = chromedp.Call(tab, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	}
	if err != nil {
		return fmt.Errorf("set the view: %w", err)
	}
	return nil
}

// Picture is what a tab shows, as PNG; whole is all of the page, beyond what
// fits the view.
func Picture(tab context.Context, whole bool) ([]byte, error) {
	params := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng}
	if whole {
		m, err := chromedp.Call(tab, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return nil, fmt.Errorf("measure the page: %w", err)
		}
		size := m.CSSContentSize
		params.CaptureBeyondViewport = &whole
		params.Clip = &page.Viewport{Width: size.Width, Height: size.Height, Scale: 1}
	}
	res, err := chromedp.Call(tab, page.CaptureScreenshot, params)
	if err != nil {
		return nil, fmt.Errorf("take a picture: %w", err)
	}
	return res.Data, nil
}
