package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// dumpModel writes the model as indented text. Zero values are left out, and so
// are settings that have their default value, so that what is shown is what the
// configuration decided.
func dumpModel(cfg *Config) string {
	o, err := testOptions(nil).complete()
	if err != nil {
		return err.Error()
	}
	d := &dumper{defaults: map[reflect.Type]reflect.Value{
		reflect.TypeFor[Settings]():       reflect.ValueOf(defaultSettings(o)),
		reflect.TypeFor[ServerSettings](): reflect.ValueOf(defaultServerSettings()),
		reflect.TypeFor[ListenOptions]():  reflect.ValueOf(defaultListenOptions()),
		reflect.TypeFor[Keepalive]():      reflect.ValueOf(defaultKeepalive()),
	}}
	d.fields("main", reflect.ValueOf(cfg.Main), reflect.Value{})
	if cfg.HTTP != nil {
		d.value("http", reflect.ValueOf(cfg.HTTP).Elem(), reflect.Value{})
	}
	return d.out.String()
}

type dumper struct {
	out      strings.Builder
	indent   int
	defaults map[reflect.Type]reflect.Value
}

func (d *dumper) line(format string, args ...any) {
	fmt.Fprintf(&d.out, "%s%s\n", strings.Repeat("  ", d.indent), fmt.Sprintf(format, args...))
}

// value writes v under a name unless it is zero or equal to def.
func (d *dumper) value(name string, v, def reflect.Value) {
	if def.IsValid() && reflect.DeepEqual(v.Interface(), def.Interface()) || !def.IsValid() && v.IsZero() {
		return
	}
	if text, ok := scalar(v); ok {
		d.line("%s %s", name, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			d.line("%s none", name)
			return
		}
		d.value(name+" "+typeName(v.Elem()), v.Elem(), reflect.Value{})
	case reflect.Slice:
		if v.Len() == 0 {
			d.line("%s none", name)
		}
		for i := range v.Len() {
			d.value(name, v.Index(i), reflect.Value{})
		}
	case reflect.Struct:
		d.fields(name, v, def)
	}
}

func typeName(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		return strings.ToLower(v.Elem().Type().Name())
	}
	return strings.ToLower(v.Type().Name())
}

func (d *dumper) fields(name string, v, def reflect.Value) {
	if !def.IsValid() {
		def = d.defaults[v.Type()]
	}
	d.line("%s%s", name, place(v))
	d.indent++
	d.members(v, def)
	d.indent--
}

// members writes the fields of a struct, those of embedded ones as its own.
func (d *dumper) members(v, def reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if strings.HasPrefix(f.Name, "Pos") || f.Name == "UserPos" {
			continue
		}
		sub := reflect.Value{}
		if def.IsValid() {
			sub = def.Field(i)
		}
		if f.Anonymous {
			d.members(v.Field(i), d.defaults[f.Type])
			continue
		}
		if !sub.IsValid() {
			sub = d.defaults[f.Type]
		}
		d.value(f.Name, v.Field(i), sub)
	}
}

func place(v reflect.Value) string {
	f := v.FieldByName("Pos")
	if !f.IsValid() {
		return ""
	}
	p, ok := f.Interface().(Pos)
	if !ok || p.IsZero() {
		return ""
	}
	return fmt.Sprintf(" @%d", p.Line)
}

// scalar gives values that fit on a line.
func scalar(v reflect.Value) (string, bool) {
	switch x := v.Interface().(type) {
	case Text:
		return fmt.Sprintf("%q", x.Value), true
	case Regex:
		return fmt.Sprintf("/%s/ nocase=%v", x.Pattern, x.NoCase), true
	case *Regex:
		if x == nil {
			return "none", true
		}
		return scalar(reflect.ValueOf(*x))
	case time.Duration, netip.AddrPort, netip.Prefix, netip.Addr, bool, MethodKind:
		return fmt.Sprint(x), true
	case Buffers:
		return fmt.Sprintf("%d x %d", x.Number, x.Size), true
	case map[string]string:
		var list []string
		for k, val := range x {
			list = append(list, k+"="+val)
		}
		slices.Sort(list)
		return strings.Join(list, " "), true
	case []string:
		return strings.Join(x, " "), true
	case []int:
		return fmt.Sprint(x), true
	case [3]int:
		return fmt.Sprint(x), true
	case string:
		return fmt.Sprintf("%q", x), true
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16:
		return fmt.Sprint(v.Interface()), true
	}
	return "", false
}
