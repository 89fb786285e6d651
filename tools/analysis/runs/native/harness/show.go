package main

// Writes values as JSON, one answer a line, on standard error.

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
)

type goalsValues []interface{}

func goalsMany(values ...interface{}) goalsValues { return values }

func goalsText(value string) string {
	if len(value) > 60000 {
		value = value[:60000]
	}
	var text strings.Builder
	coder := json.NewEncoder(&text)
	coder.SetEscapeHTML(false)
	_ = coder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n")
}

func goalsSend(answer string) {
	if _, err := os.Stderr.WriteString("\nGOALS_MARK" + answer + "\n"); err != nil {
		os.Exit(3)
	}
}

func goalsWrite(out *strings.Builder, value reflect.Value, depth int) {
	if !value.IsValid() || depth > 50 || out.Len() > 200000 {
		out.WriteString("null")
		return
	}
	if value.CanInterface() {
		if failure, ok := value.Interface().(error); ok && failure != nil {
			out.WriteString("{\"err\": " + goalsText(failure.Error()) + "}")
			return
		}
	}
	switch value.Kind() {
	case reflect.Bool:
		out.WriteString(strconv.FormatBool(value.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.WriteString(strconv.FormatInt(value.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		out.WriteString(strconv.FormatUint(value.Uint(), 10))
	case reflect.Float32:
		out.WriteString("{\"g\": \"" + strconv.FormatFloat(value.Float(), 'g', -1, 32) + "\"}")
	case reflect.Float64:
		out.WriteString("{\"f\": \"" + strconv.FormatFloat(value.Float(), 'g', -1, 64) + "\"}")
	case reflect.String:
		out.WriteString(goalsText(value.String()))
	case reflect.Slice, reflect.Array:
		out.WriteString("[")
		for n := 0; n < value.Len() && out.Len() < 200000; n++ {
			if n > 0 {
				out.WriteString(", ")
			}
			goalsWrite(out, value.Index(n), depth+1)
		}
		out.WriteString("]")
	case reflect.Map:
		if value.IsNil() {
			out.WriteString("null")
			return
		}
		out.WriteString("{\"m\": [")
		for n, key := range value.MapKeys() {
			if n > 0 {
				out.WriteString(", ")
			}
			out.WriteString("[")
			goalsWrite(out, key, depth+1)
			out.WriteString(", ")
			goalsWrite(out, value.MapIndex(key), depth+1)
			out.WriteString("]")
		}
		out.WriteString("]}")
	case reflect.Ptr, reflect.Interface:
		goalsWrite(out, value.Elem(), depth+1)
	default:
		out.WriteString("{\"u\": [" + goalsText(value.Type().String()) + ", \"?\"]}")
	}
}

func goalsCall(call func() goalsValues) (answer string) {
	defer func() {
		if cause := recover(); cause != nil {
			answer = "[\"raised\", [\"panic\"], " + goalsText(fmt.Sprint(cause)) + "]"
		}
	}()
	values := call()
	var out strings.Builder
	last := len(values) - 1
	if last == 1 {
		// A value and an error: the value, or the error where there is one.
		if failure, ok := values[1].(error); ok && failure != nil {
			goalsWrite(&out, reflect.ValueOf(failure), 0)
			return "[\"value\", " + out.String() + "]"
		}
		if values[1] == nil {
			values = values[:1]
		}
	}
	if len(values) == 1 {
		goalsWrite(&out, reflect.ValueOf(values[0]), 0)
		return "[\"value\", " + out.String() + "]"
	}
	out.WriteString("{\"t\": [")
	for n, value := range values {
		if n > 0 {
			out.WriteString(", ")
		}
		goalsWrite(&out, reflect.ValueOf(value), 0)
	}
	out.WriteString("]}")
	return "[\"value\", " + out.String() + "]"
}

func goalsRun(calls []func() goalsValues) {
	start, _ := strconv.Atoi(os.Args[1])
	goalsSend("[\"ready\"]")
	for _, call := range calls[start:] {
		goalsSend(goalsCall(call))
	}
}
