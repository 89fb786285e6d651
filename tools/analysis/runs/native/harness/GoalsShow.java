import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.BaseStream;

/** Writes values as JSON, one answer a line, on standard error. */
final class GoalsShow {
    interface Call {
        Object run() throws Throwable;
    }

    private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.err);
    private static final int MOST = 200_000;

    static void run(Call[] calls, String start) {
        send(new StringBuilder("[\"ready\"]"));
        for (int n = Integer.parseInt(start); n < calls.length; n++) {
            StringBuilder answer = new StringBuilder("[\"value\", ");
            try {
                write(answer, calls[n].run(), 0);
                answer.append("]");
            } catch (Throwable error) {
                answer = raised(error);
            }
            send(answer);
        }
        Runtime.getRuntime().halt(0);
    }

    private static StringBuilder raised(Throwable error) {
        StringBuilder answer = new StringBuilder("[\"raised\", [");
        String comma = "";
        for (Class<?> kind = error.getClass(); kind != Object.class; kind = kind.getSuperclass()) {
            answer.append(comma);
            text(answer, kind.getSimpleName());
            comma = ", ";
        }
        answer.append("], ");
        String message = null;
        try {
            message = error.getMessage();
        } catch (Throwable other) {
            message = "?";
        }
        text(answer, message == null ? "" : message);
        answer.append(", ").append(line(error)).append("]");
        return answer;
    }

    private static String line(Throwable error) {
        for (StackTraceElement place : error.getStackTrace()) {
            String file = place.getFileName();
            if (file != null && file.startsWith("Goals")) {
                break;
            }
            if (place.getModuleName() == null && place.getLineNumber() > 0) {
                return String.valueOf(place.getLineNumber());
            }
        }
        return "null";
    }

    private static void send(StringBuilder answer) {
        String line = "\nGOALS_MARK" + answer + "\n";
        try {
            OUT.write(line.getBytes(StandardCharsets.UTF_8));
            OUT.flush();
        } catch (IOException error) {
            Runtime.getRuntime().halt(3);
        }
    }

    private static void text(StringBuilder answer, CharSequence value) {
        answer.append('"');
        for (int n = 0; n < value.length() && n < 60_000; n++) {
            char letter = value.charAt(n);
            if (letter < 32 || letter == '"' || letter == '\\' || Character.isSurrogate(letter)) {
                answer.append(String.format("\\u%04x", (int) letter));
            } else {
                answer.append(letter);
            }
        }
        answer.append('"');
    }

    private static void write(StringBuilder answer, Object value, int depth) {
        if (answer.length() > MOST || depth > 50) {
            answer.append("null");
        } else if (value == null || value instanceof Boolean) {
            answer.append(value);
        } else if (value instanceof Float) {
            answer.append("{\"g\": \"").append(number(value)).append("\"}");
        } else if (value instanceof Double || value instanceof java.math.BigDecimal) {
            answer.append("{\"f\": \"").append(number(value)).append("\"}");
        } else if (value instanceof Number) {
            answer.append("{\"i\": \"").append(value).append("\"}");
        } else if (value instanceof Character) {
            answer.append("{\"c\": ");
            text(answer, value.toString());
            answer.append("}");
        } else if (value instanceof CharSequence) {
            text(answer, (CharSequence) value);
        } else if (value instanceof Enum) {
            text(answer, ((Enum<?>) value).name());
        } else if (value instanceof Optional) {
            Optional<?> option = (Optional<?>) value;
            if (option.isPresent()) {
                answer.append("{\"some\": ");
                write(answer, option.get(), depth + 1);
                answer.append("}");
            } else {
                answer.append("null");
            }
        } else if (value instanceof Map) {
            writeMap(answer, (Map<?, ?>) value, depth);
        } else if (value instanceof Map.Entry) {
            answer.append("{\"t\": [");
            write(answer, ((Map.Entry<?, ?>) value).getKey(), depth + 1);
            answer.append(", ");
            write(answer, ((Map.Entry<?, ?>) value).getValue(), depth + 1);
            answer.append("]}");
        } else if (value.getClass().isArray()) {
            answer.append("[");
            for (int n = 0; n < Array.getLength(value) && answer.length() < MOST; n++) {
                answer.append(n == 0 ? "" : ", ");
                write(answer, Array.get(value, n), depth + 1);
            }
            answer.append("]");
        } else if (value instanceof Collection || value instanceof BaseStream) {
            boolean bag = value instanceof Set && !(value instanceof java.util.SortedSet);
            Iterator<?> items = value instanceof Collection
                ? ((Collection<?>) value).iterator()
                : ((BaseStream<?, ?>) value).iterator();
            answer.append(bag ? "{\"s\": [" : "[");
            String comma = "";
            while (items.hasNext() && answer.length() < MOST) {
                answer.append(comma);
                write(answer, items.next(), depth + 1);
                comma = ", ";
            }
            answer.append(bag ? "]}" : "]");
        } else {
            answer.append("{\"u\": [");
            text(answer, value.getClass().getSimpleName());
            answer.append(", ");
            text(answer, String.valueOf(value));
            answer.append("]}");
        }
    }

    private static String number(Object value) {
        String text = value.toString();
        return text.equals("Infinity") ? "inf" : text.equals("-Infinity") ? "-inf" : text;
    }

    private static void writeMap(StringBuilder answer, Map<?, ?> map, int depth) {
        answer.append("{\"m\": [");
        String comma = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            answer.append(comma).append("[");
            write(answer, entry.getKey(), depth + 1);
            answer.append(", ");
            write(answer, entry.getValue(), depth + 1);
            answer.append("]");
            comma = ", ";
            if (answer.length() > MOST) {
                break;
            }
        }
        answer.append("]}");
    }
}
