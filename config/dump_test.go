package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// dumpModel writes the model as indented text. Zero values are left out; the
// settings of a block are shown where they differ from those of the block
// around it, and those of http where they differ from the defaults.
func dumpModel(cfg *Config) string {
	o, err := testOptions(nil).complete()
	if err != nil {
		return err.Error()
	}
	d := &dumper{defaults: map[reflect.Type]reflect.Value{
		reflect.TypeFor[Settings]():       reflect.ValueOf(defaultSettings(o)),
		reflect.TypeFor[ServerSettings](): reflect.ValueOf(defaultServerSettings()),
		reflect.TypeFor[ListenOptions]():  reflect.ValueOf(defaultListenOptions()),
		reflect.TypeFor[Keepalive]():      reflect.ValueOf(DefaultKeepalive()),
	}}
	d.fields("main", reflect.ValueOf(cfg.Main), reflect.Value{})
	if cfg.Cluster != nil {
		d.value("cluster", reflect.ValueOf(cfg.Cluster).Elem(), reflect.Value{})
	}
	if cfg.HTTP != nil {
		d.value("http", reflect.ValueOf(cfg.HTTP).Elem(), reflect.Value{})
	}
	return d.out.String()
}

type dumper struct {
	out      strings.Builder
	indent   int
	defaults map[reflect.Type]reflect.Value // what is not worth showing
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
		if v.Elem().Kind() == reflect.Pointer {
			name += " " + strings.ToLower(v.Elem().Elem().Type().Name())
		}
		d.value(name, v.Elem(), reflect.Value{})
	case reflect.Slice:
		if v.Len() == 0 {
			d.line("%s none", name)
		}
		for i := range v.Len() {
			d.element(name, v.Index(i))
		}
	case reflect.Struct:
		d.fields(name, v, def)
	}
}

// element writes one of a list, even if it is zero.
func (d *dumper) element(name string, v reflect.Value) {
	if v.IsZero() {
		d.line("%s zero", name)
		return
	}
	d.value(name, v, reflect.Value{})
}

// fields writes a struct on one line if it has only scalars.
func (d *dumper) fields(name string, v, def reflect.Value) {
	if !def.IsValid() {
		def = d.defaults[v.Type()]
	}
	inner := &dumper{indent: d.indent + 1, defaults: d.defaults}
	inner.members(v, def)
	text := inner.out.String()
	if one := strings.Join(strings.Fields(text), " "); v.NumField() < 20 && len(one) < 100 && !strings.Contains(text, strings.Repeat("  ", d.indent+2)) {
		d.line("%s%s %s", name, place(v), one)
		return
	}
	d.line("%s%s", name, place(v))
	d.out.WriteString(text)
}

// members writes the fields of a struct, those of embedded ones as its own.
func (d *dumper) members(v, def reflect.Value) {
	if s := v.FieldByName("Settings"); s.IsValid() {
		d.nest(s)
	}
	if s := v.FieldByName("ServerSettings"); s.IsValid() {
		d.nest(s)
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if strings.HasPrefix(f.Name, "Pos") || f.Name == "UserPos" || f.Anonymous {
			continue
		}
		sub := reflect.Value{}
		if def.IsValid() {
			sub = def.Field(i)
		}
		if !sub.IsValid() && f.Type.Kind() == reflect.Struct {
			sub = d.defaults[f.Type]
		}
		d.value(f.Name, v.Field(i), sub)
	}
}

// nest writes settings against those of the block around, and makes them the
// ones to compare with inside.
func (d *dumper) nest(s reflect.Value) {
	d.members(s, d.defaults[s.Type()])
	own := maps.Clone(d.defaults)
	own[s.Type()] = s
	d.defaults = own
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
	case time.Duration, netip.AddrPort, netip.Prefix, netip.Addr, bool, MethodKind, MatchKind:
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
