# Loads the program, makes the calls, and writes values as JSON, one answer a line, on stderr.
require "json"
require "set"

module GoalsHarness
  OUT = STDERR.dup
  module_function

  def send_answer(answer)
    OUT.write("\nGOALS_MARK#{JSON.generate(answer)}\n")
    OUT.flush
  end

  def text(value)
    copy = String.new(value)[0, 60_000]
    copy = copy.encode("UTF-8", invalid: :replace, undef: :replace) unless copy.encoding == Encoding::UTF_8
    copy.valid_encoding? ? copy : copy.scrub
  end

  def tagged(value, depth = 0)
    return nil if depth > 50

    case value
    when nil, true, false then value
    when Integer then { "i" => value.to_s }
    when Float
      { "f" => value.nan? ? "nan" : value.infinite? ? (value.positive? ? "inf" : "-inf") : value.to_s }
    when Rational then { "f" => value.to_f.to_s }
    when String then text(value)
    when Symbol then text(value.to_s)
    when Array then value.first(20_000).map { |one| tagged(one, depth + 1) }
    when Set then { "s" => value.first(20_000).map { |one| tagged(one, depth + 1) } }
    when Hash
      { "m" => value.first(20_000).map { |key, one| [tagged(key, depth + 1), tagged(one, depth + 1)] } }
    when Range, Enumerator then value.first(20_000).map { |one| tagged(one, depth + 1) }
    else { "u" => [text(value.class.name || "object"), "?"] }
    end
  end

  def raised(error)
    names = error.class.ancestors.take_while { |one| one != Object }.select { |one| one.is_a?(Class) }
    place = (error.backtrace_locations || []).find { |one| one.path.to_s.end_with?("submission.rb") }
    ["raised", names.map { |one| one.name.to_s.split("::").last }, text(error.message), place && place.lineno]
  end
end

goals_calls = JSON.parse(File.read("/src/calls.json"))[ARGV[0].to_i..]
ARGV.clear
$stdout.reopen("/dev/null")
goals_failure = nil
begin
  load "/src/submission.rb"
rescue SyntaxError => goals_error
  goals_line = goals_error.message[/submission\.rb:(\d+)/, 1]
  goals_failure = ["raised", ["SyntaxError"], "", goals_line && goals_line.to_i]
rescue Exception => goals_error
  goals_failure = GoalsHarness.raised(goals_error)
end
GoalsHarness.send_answer(["ready"])
goals_calls.each do |goals_before, goals_expression|
  if goals_failure
    GoalsHarness.send_answer(goals_failure)
    next
  end
  begin
    goals_value = TOPLEVEL_BINDING.eval("#{goals_before} (#{goals_expression})")
    GoalsHarness.send_answer(["value", GoalsHarness.tagged(goals_value)])
  rescue SyntaxError
    GoalsHarness.send_answer(["unusable"])
  rescue Exception => goals_error
    GoalsHarness.send_answer(GoalsHarness.raised(goals_error))
  end
end
exit!(0)
