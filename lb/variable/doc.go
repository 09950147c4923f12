// Package variable turns texts such as `$host$request_uri` of a configuration
// into values.
//
// Names are resolved once, when a configuration is compiled: a Table knows
// every variable, Compile turns a text into a Text, and at run time a Text
// asks each variable's Getter for a view of its bytes. The Source (one HTTP
// request, one stream session) is what the getters read from; it also lends
// the Arena in which computed values are written, so that evaluating a text
// allocates nothing once the arena has grown to the size a request needs.
//
// HTTP and stream share this package; it knows nothing of either.
package variable
