from ekiben_load.report import Report
def html(report: Report) -> str:
    return ""
