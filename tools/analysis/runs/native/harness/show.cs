// Writes values as JSON, one answer a line, on standard error.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

static class GoalsShow {
    const int Most = 200000;

    static void Text(StringBuilder answer, string value) {
        answer.Append('"');
        for (int n = 0; n < value.Length && n < 60000; n++) {
            char letter = value[n];
            if (letter < 32 || letter == '"' || letter == '\\' || char.IsSurrogate(letter))
                answer.AppendFormat("\\u{0:x4}", (int)letter);
            else
                answer.Append(letter);
        }
        answer.Append('"');
    }

    static void List(StringBuilder answer, IEnumerable items, int depth) {
        bool first = true;
        foreach (object one in items) {
            if (answer.Length > Most) break;
            if (!first) answer.Append(", ");
            first = false;
            Write(answer, one, depth + 1);
        }
    }

    static bool IsSet(object value) {
        foreach (Type kind in value.GetType().GetInterfaces())
            if (kind.IsGenericType && kind.GetGenericTypeDefinition() == typeof(ISet<>)) return true;
        return false;
    }

    static void Write(StringBuilder answer, object value, int depth) {
        var plain = CultureInfo.InvariantCulture;
        if (value == null || depth > 50 || answer.Length > Most) answer.Append("null");
        else if (value is bool) answer.Append((bool)value ? "true" : "false");
        else if (value is float) answer.Append("{\"g\": \"" + Number(((float)value).ToString("R", plain)) + "\"}");
        else if (value is double) answer.Append("{\"f\": \"" + Number(((double)value).ToString("R", plain)) + "\"}");
        else if (value is decimal) answer.Append("{\"f\": \"" + ((decimal)value).ToString(plain) + "\"}");
        else if (value is char) { answer.Append("{\"c\": "); Text(answer, value.ToString()); answer.Append("}"); }
        else if (value is string) Text(answer, (string)value);
        else if (value is Enum) Text(answer, value.ToString());
        else if (value is IConvertible || value is System.Numerics.BigInteger)
            answer.Append("{\"i\": \"" + string.Format(plain, "{0}", value) + "\"}");
        else if (value is IDictionary) {
            answer.Append("{\"m\": [");
            bool first = true;
            foreach (DictionaryEntry one in (IDictionary)value) {
                answer.Append(first ? "[" : ", [");
                first = false;
                Write(answer, one.Key, depth + 1);
                answer.Append(", ");
                Write(answer, one.Value, depth + 1);
                answer.Append("]");
            }
            answer.Append("]}");
        } else if (value is IEnumerable) {
            bool bag = IsSet(value);
            answer.Append(bag ? "{\"s\": [" : "[");
            List(answer, (IEnumerable)value, depth);
            answer.Append(bag ? "]}" : "]");
        } else if (value.GetType().FullName.StartsWith("System.ValueTuple`") || value.GetType().FullName.StartsWith("System.Tuple`")) {
            var items = new List<object>();
            for (int n = 1; n < 8; n++) {
                var field = value.GetType().GetField("Item" + n);
                var property = value.GetType().GetProperty("Item" + n);
                if (field != null) items.Add(field.GetValue(value));
                else if (property != null) items.Add(property.GetValue(value, null));
            }
            answer.Append("{\"t\": [");
            List(answer, items, depth);
            answer.Append("]}");
        } else {
            answer.Append("{\"u\": [");
            Text(answer, value.GetType().Name);
            answer.Append(", \"?\"]}");
        }
    }

    static string Number(string text) {
        return text == "NaN" ? "nan" : text == "Infinity" ? "inf" : text == "-Infinity" ? "-inf" : text;
    }

    static void Send(Stream stream, string answer) {
        byte[] line = Encoding.UTF8.GetBytes("\nGOALS_MARK" + answer + "\n");
        stream.Write(line, 0, line.Length);
        stream.Flush();
    }

    static string Raised(Exception error) {
        var answer = new StringBuilder("[\"raised\", [");
        bool first = true;
        for (Type kind = error.GetType(); kind != null && kind != typeof(object); kind = kind.BaseType) {
            if (!first) answer.Append(", ");
            first = false;
            Text(answer, kind.Name);
        }
        answer.Append("], ");
        Text(answer, error.Message ?? "");
        return answer.Append("]").ToString();
    }

    public static void Run(Func<object>[] calls, string start) {
        Stream stream = Console.OpenStandardError();
        Send(stream, "[\"ready\"]");
        for (int n = int.Parse(start); n < calls.Length; n++) {
            string said;
            try {
                var answer = new StringBuilder("[\"value\", ");
                Write(answer, calls[n](), 0);
                said = answer.Append("]").ToString();
            } catch (Exception error) {
                said = Raised(error);
            }
            Send(stream, said);
        }
        Environment.Exit(0);
    }
}
