package clustertest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

// pages returns every Markdown file of the project.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "*/*.md", "*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 5 {
		t.Fatalf("only %d pages found", len(all))
	}
	return all
}

// load reads a configuration from memory. What is written for the http block is put into one, a cluster block alone is
// left where it belongs.
func load(text string) (*config.Config, error) {
	switch {
	case strings.HasPrefix(text, "cluster {"):
		text = "events {}\n" + text
	case !strings.Contains(text, "http {"):
		text = "events {}\nhttp {\n" + text + "\n}\n"
	}
	return config.Load(config.Options{
		File: "/etc/weir/weir.conf",
		ReadFile: func(name string) ([]byte, error) {
			if name != "/etc/weir/weir.conf" {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		},
	})
}

// TestConfigurationsOnPages: what the documentation shows is read without a complaint.
func TestConfigurationsOnPages(t *testing.T) {
	t.Parallel()
	blocks := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```nginx\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			blocks++
			cfg, err := load(m[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if len(cfg.Warnings)+len(cfg.Notes) != 0 {
				t.Errorf("%s: warnings %v, notes %v", page, cfg.Warnings, cfg.Notes)
			}
		}
	}
	if blocks < 2 {
		t.Errorf("%d configurations found on all pages", blocks)
	}
}

// TestExampleConfigurations: the examples are read, and exactly the slips that they keep on purpose are warned of.
func TestExampleConfigurations(t *testing.T) {
	t.Parallel()
	cases := []struct {
		file     string
		warnings []string // a part of each, in order
	}{
		{"examples/nodejs-basic.conf", nil},
		{"examples/nodejs-guide-basic.conf", []string{"blank but not empty", `"listen ... http2" directive is deprecated`, "without \"proxy_cache_valid\"", "https:// here"}},
		{"examples/nodejs-guide-enhanced.conf", []string{`"listen ... http2" directive is deprecated`, "without \"proxy_cache_valid\"", "https:// here"}},
		{"examples/status.conf", nil},
		{"vagrant/weir.conf", nil},
	}
	for _, c := range cases {
		text, err := os.ReadFile(filepath.Join(top, c.file))
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := load(string(text))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		match := len(cfg.Warnings) == len(c.warnings)
		for i := 0; match && i < len(c.warnings); i++ {
			match = strings.Contains(fmt.Sprint(cfg.Warnings[i]), c.warnings[i])
		}
		if !match {
			t.Errorf("%s: warnings %v, want %q", c.file, cfg.Warnings, c.warnings)
		}
	}
	cfg, err := config.Load(config.Options{File: filepath.Join(top, "examples", "weir.conf")})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings)+len(cfg.Notes) != 0 {
		t.Errorf("examples/weir.conf, which make run starts with: %v %v", cfg.Warnings, cfg.Notes)
	}
}

// TestLinksOnPages: a link to a file of the project leads somewhere.
func TestLinksOnPages(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if target.Scheme != "" || target.Path == "" {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target.Path)); err != nil {
				t.Errorf("%s: link to %s, which is not there", page, m[1])
			}
		}
	}
	if links < 10 {
		t.Errorf("only %d links found", links)
	}
}

// TestMakeHelp: every target has a sentence in `make help`, and every target that a page names exists.
func TestMakeHelp(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):(.*)$`).FindAllStringSubmatch(string(text), -1) {
		targets = append(targets, m[1])
		if inner := []string{"all", "need-go", "staticcheck", "h2spec-fetch"}; !strings.Contains(m[2], "## ") && !slices.Contains(inner, m[1]) {
			t.Errorf("make %s has no sentence", m[1])
		}
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("[`\n]make ([a-z0-9-]+)").FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(targets, m[1]) {
				t.Errorf("%s: there is no make %s", page, m[1])
			}
		}
	}
}
