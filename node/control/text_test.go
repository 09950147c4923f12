package control

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// TestTextFields: every text that may come into what is agreed on is looked at,
// and what is refused never reaches the node.
func TestTextFields(t *testing.T) {
	t.Parallel()
	path, node, _ := serveFake(t)
	client := &Client{Path: path}
	add := func(set func(reflect.Value)) error {
		body := NewServer{Server: "10.0.0.2:80"}
		set(reflect.ValueOf(&body).Elem())
		_, err := client.AddServer(t.Context(), "a/b", body)
		return err
	}
	edit := func(set func(reflect.Value)) error {
		drain := "drain"
		body := ServerEdit{Order: &drain}
		set(reflect.ValueOf(&body).Elem())
		_, err := client.EditServer(t.Context(), "a/b", "10.0.0.1:80", body)
		return err
	}
	for _, ask := range []struct {
		of reflect.Type
		do func(set func(reflect.Value)) error
	}{{reflect.TypeFor[NewServer](), add}, {reflect.TypeFor[ServerEdit](), edit}} {
		fields := 0
		for _, field := range reflect.VisibleFields(ask.of) {
			if kind := field.Type; kind != reflect.TypeFor[string]() && kind != reflect.TypeFor[*string]() || field.Name == "Order" { // one of four words
				continue
			}
			fields++
			for _, c := range []struct {
				text   string
				refuse bool
			}{
				{"new disk, größer: “ü”", false},
				{strings.Repeat("x", maxText), false},
				{strings.Repeat("x", maxWhy+1), true},
				{"a\nb", true}, {"a\r", true}, {"\t", true}, {"a\x00", true}, {"\x1b[31mred", true}, {"\x7f", true},
				{"\u009b31m", true}, {"\u202eback", true}, {"\u2028", true}, {"\ufeff", true}, {"no UTF-8: \xff", true},
			} {
				err := ask.do(func(body reflect.Value) {
					at := body.FieldByIndex(field.Index)
					if at.Kind() == reflect.Pointer {
						at.Set(reflect.ValueOf(&c.text))
					} else {
						at.SetString(c.text)
					}
				})
				var f *Failure
				heard := node.take()
				switch {
				case !c.refuse && (err != nil || len(heard) != 1):
					t.Errorf("%s.%s %q: %v", ask.of.Name(), field.Name, c.text, err)
				case c.refuse && (!errors.As(err, &f) || f.Code != BadRequest || len(heard) != 0):
					t.Errorf("%s.%s %q: %v, and the node hears %q", ask.of.Name(), field.Name, c.text, err, heard)
				case c.refuse && strings.ContainsFunc(f.Text, func(r rune) bool { return r < ' ' }):
					t.Errorf("the refusal itself has it: %q", f.Text)
				}
			}
		}
		if fields < 5 {
			t.Errorf("%s has %d texts only", ask.of, fields)
		}
	}
}

// TestNamesInPaths: names that are looked up are quoted where they are told.
func TestNamesInPaths(t *testing.T) {
	t.Parallel()
	path, _, _ := serveFake(t)
	bad := "x\x1b[31m\n\u009b"
	for _, at := range []string{"/v1/upstreams/" + url.PathEscape(bad), "/v1/requests/" + url.PathEscape(bad), "/v1/" + url.PathEscape(bad), "/" + url.PathEscape(bad),
		"/v1/status?consistency=" + url.QueryEscape(bad), "/v1/status?" + url.QueryEscape(bad) + "=1"} {
		err := (&Client{Path: path}).get(t.Context(), at, nil)
		var f *Failure
		if !errors.As(err, &f) || strings.ContainsAny(f.Text, "\x1b\n\u009b") {
			t.Errorf("%s: %q", at, err)
		}
	}
}
