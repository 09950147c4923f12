package config

import "testing"

func TestSmoke(t *testing.T) {
	c, err := Load(Options{File: "testdata/guide_basic.conf"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Notes {
		t.Log(n)
	}
	for _, n := range c.Warnings {
		t.Log(n)
	}
}
